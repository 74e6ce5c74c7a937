import { createRegistry } from "@bufbuild/protobuf";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "#gen/google/rpc/error_details_pb.js";

/** Types of the details in the status of an item, to print it as JSON. */
export const ITEM_DETAILS = createRegistry(
  ErrorInfoSchema,
  BadRequestSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
);
