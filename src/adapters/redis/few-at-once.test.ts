import { expect, it } from "vitest";
import { FewAtOnce } from "./few-at-once.ts";

/** A work that goes on until it is told to end. */
function work(name: string, begun: string[]) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const begin = (): Promise<string> => {
    begun.push(name);
    return promise;
  };
  return { begin, end: () => resolve(name), fail: () => reject(new Error(name)) };
}

it("lets so many go on at a time, in the order in which they came, however they end", async () => {
  const few = new FewAtOnce(2);
  const begun: string[] = [];
  const [a, b, c, d] = [work("a", begun), work("b", begun), work("c", begun), work("d", begun)];
  const ended = [a, b, c, d].map(({ begin }) => few.run(begin));
  expect(begun).toEqual(["a", "b"]);
  b.end();
  expect(await ended[1]).toBe("b");
  expect(begun).toEqual(["a", "b", "c"]);
  a.fail();
  await expect(ended[0]).rejects.toThrow("a");
  expect(begun).toEqual(["a", "b", "c", "d"]);
  c.end();
  d.end();
  expect(await Promise.all([ended[2], ended[3]])).toEqual(["c", "d"]);
  const [e, f, g] = [work("e", begun), work("f", begun), work("g", begun)];
  const others = [e, f, g].map(({ begin }) => few.run(begin));
  expect(begun.slice(4)).toEqual(["e", "f"]);
  for (const { end } of [e, f, g]) end();
  expect(await Promise.all(others)).toEqual(["e", "f", "g"]);
});

it("gives the place of a work that throws at once to the next", async () => {
  const few = new FewAtOnce(1);
  const fails = few.run(() => {
    throw new Error("at once");
  });
  const next = few.run(async () => "next");
  await expect(fails).rejects.toThrow("at once");
  expect(await next).toBe("next");
});
