import { type Comparison, isServed, LEVELS, type Level } from "./cache-decision.ts";
import { type ComparedPair, FINE_THRESHOLDS } from "./cache-figures.ts";

/** One panel of the plot: an embedder. */
export interface Panel {
  readonly title: string;
  readonly compared: readonly ComparedPair[];
  /** The default threshold of the model, which is marked. */
  readonly threshold: number;
}

const WIDTH = 330;
const HEIGHT = 300;
const LEFT = 56;
const TOP = 34;
const GAP = 60;
const BELOW = 96;
/** The ticks of both axes, in hundredths. */
const TICKS = { x: [0, 1, 4, 10, 25, 50, 100], y: [0, 20, 40, 60, 80, 100] } as const;
/** Legible on white and on black; dashed lines are drawn over what they may cover. */
const LINES: Readonly<
  Record<Level, { readonly name: string; readonly colour: string; readonly dash: string }>
> = {
  cosine: { name: "similarity alone", colour: "#8a939c", dash: "" },
  off: { name: "off", colour: "#d1495b", dash: "5 4" },
  closed: { name: "closed", colour: "#d98324", dash: "" },
  balanced: { name: "balanced", colour: "#2f9e6e", dash: "" },
  strict: { name: "strict", colour: "#7a6fd0", dash: "5 4" },
};

/**
 * Safe pairs served against traps served, as an SVG: a panel for each embedder, a line for each level over the thresholds
 * 0.50 to 1.00. The axis of traps has a square-root scale, because the guard serves few of them.
 */
export function plotServed(panels: readonly Panel[]): string {
  const width = LEFT + panels.length * WIDTH + (panels.length - 1) * GAP + 20;
  const height = TOP + HEIGHT + BELOW;
  const parts = panels.map((panel, index) => drawPanel(panel, LEFT + index * (WIDTH + GAP)));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>Safe pairs served against traps served, by strictness of the guard and threshold</title>
<style>
text { font: 12px system-ui, sans-serif; fill: #6b7480 }
.title { font-weight: 600 }
.grid { stroke: #8a939c; stroke-opacity: .25 }
path { fill: none; stroke-width: 2; stroke-linejoin: round }
@media (prefers-color-scheme: dark) { text { fill: #a9b3bd } }
</style>
${parts.join("\n")}
${legend(LEFT, TOP + HEIGHT + 64)}
</svg>
`;
}

function drawPanel({ title, compared, threshold }: Panel, left: number): string {
  const x = (share: number): string => (left + WIDTH * Math.sqrt(share)).toFixed(1);
  const y = (share: number): string => (TOP + HEIGHT * (1 - share)).toFixed(1);
  const bottom = TOP + HEIGHT;
  const grid = [
    ...TICKS.x.map(
      (tick) =>
        `<line class="grid" x1="${x(tick / 100)}" y1="${TOP}" x2="${x(tick / 100)}" y2="${bottom}"/>` +
        `<text x="${x(tick / 100)}" y="${bottom + 16}" text-anchor="middle">${tick}</text>`,
    ),
    ...TICKS.y.map(
      (tick) =>
        `<line class="grid" x1="${left}" y1="${y(tick / 100)}" x2="${left + WIDTH}" y2="${y(tick / 100)}"/>` +
        `<text x="${left - 6}" y="${Number(y(tick / 100)) + 4}" text-anchor="end">${tick}</text>`,
    ),
  ];
  const lines = LEVELS.map((level) => {
    const { colour, dash } = LINES[level];
    const points = FINE_THRESHOLDS.map((one) => servedShares(compared, level, one));
    const path = points.map(({ traps, safe }) => `${x(traps)} ${y(safe)}`);
    // Thresholds in between may serve the same pairs.
    const distinct = path.filter((point, index) => point !== path[index - 1]);
    const { traps, safe } = servedShares(compared, level, threshold);
    const dashed = dash === "" ? "" : ` stroke-dasharray="${dash}"`;
    return `<path d="M${distinct.join(" L")}" stroke="${colour}"${dashed}/><circle cx="${x(traps)}" cy="${y(safe)}" r="4.5" fill="${colour}"/>`;
  });
  const middle = left + WIDTH / 2;
  return [
    `<text class="title" x="${middle}" y="${TOP - 14}" text-anchor="middle">${title}</text>`,
    ...grid,
    ...lines,
    `<text x="${middle}" y="${bottom + 36}" text-anchor="middle">traps served, % (square-root scale)</text>`,
    `<text transform="translate(${left - 38} ${TOP + HEIGHT / 2}) rotate(-90)" text-anchor="middle">safe pairs served, %</text>`,
  ].join("\n");
}

function legend(left: number, y: number): string {
  const entries = LEVELS.map((level, index) => {
    const { name, colour, dash } = LINES[level];
    const at = left + index * 104 + (index === 0 ? 0 : 60);
    const dashed = dash === "" ? "" : ` stroke-dasharray="${dash}"`;
    return `<path d="M${at} ${y} h24" stroke="${colour}"${dashed}/><text x="${at + 30}" y="${y + 4}">${name}</text>`;
  });
  const end = left + LEVELS.length * 104 + 70;
  return `${entries.join("\n")}\n<circle cx="${end}" cy="${y}" r="4.5" fill="#8a939c"/><text x="${end + 10}" y="${y + 4}">default threshold</text>`;
}

/** Shares of 0 to 1. */
function servedShares(
  compared: readonly ComparedPair[],
  level: Level,
  threshold: number,
): { readonly safe: number; readonly traps: number } {
  const shareOf = (comparisons: readonly Comparison[]): number =>
    comparisons.filter((comparison) => isServed(comparison, { threshold, level })).length /
    comparisons.length;
  const labelled = (label: string): Comparison[] =>
    compared.filter(({ pair }) => pair.label === label).map(({ comparison }) => comparison);
  return { safe: shareOf(labelled("safe")), traps: shareOf(labelled("trap")) };
}
