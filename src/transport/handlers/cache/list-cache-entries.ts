import type { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { answerBytesOf } from "../../../domain/answer-size.ts";
import { MAX_PAGE_BYTES } from "../../../domain/page-token.ts";
import { listCacheEntries } from "../../../services/cache/read-cache-entries.ts";
import { fittingEntries, textBytes } from "../../convert/answer-fit.ts";
import { fromEntry } from "../../convert/cache.ts";
import { defined, nonEmptyList, nonEmptyText } from "../../convert/common.ts";
import type { Handler } from "../../handler.ts";

export function listCacheEntriesHandler(
  ports: Parameters<typeof listCacheEntries>[0],
): Handler<typeof CacheService.method.listCacheEntries> {
  return async (request, context) => {
    const namespace = namespaceOf(request);
    const maxBytes = answerBytesOf(request.maxAnswerBytes, MAX_PAGE_BYTES);
    const { entries, nextPageToken } = await listCacheEntries(
      ports,
      {
        namespace: request.namespace,
        pageSize: request.pageSize,
        pageToken: request.pageToken,
        maxBytes,
        fitting: (found, tokenAfter) =>
          fittingEntries(found, { namespace, maxBytes, beside: (fitted) => textBytes(tokenAfter(fitted)) }),
        ...defined({ model: nonEmptyText(request.model), tagsAny: nonEmptyList(request.tagsAny) }),
      },
      context,
    );
    return { entries: entries.map((entry) => fromEntry(entry, namespace)), nextPageToken };
  };
}
