import { parentPort } from "node:worker_threads";
import { openLexicon } from "../lexicon/lexicon-file.ts";
import { countO200k } from "../tokens/o200k.ts";
import type { Answer, Question } from "./messages.ts";
import { planUser, UserMemories } from "./plan-user.ts";
import { checkSummary, extract } from "./summaries.ts";

/** The program of the planning thread; see createThreadPlanner. It answers one question after the other. */
const tools = { lexicon: await openLexicon(), countTokens: countO200k };
let user = new UserMemories();

parentPort?.on("message", (question: Question) => {
  if (question.kind === "page") {
    user.add(question.page);
    return;
  }
  let answer: Answer;
  try {
    answer = { result: answerTo(question) };
  } catch (error) {
    answer = { error };
  }
  user = new UserMemories();
  parentPort?.postMessage(answer);
});

function answerTo(question: Exclude<Question, { readonly kind: "page" }>): unknown {
  switch (question.kind) {
    case "plan":
      return planUser(user, question.rules, tools);
    case "check":
      return checkSummary(question.answer, question.sources, tools);
    case "extract":
      return extract(question.sources, tools);
  }
}
