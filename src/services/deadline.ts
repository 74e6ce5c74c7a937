export { untilAborted } from "../domain/until-aborted.ts";
