/** The node that pieces begin at which begin a word, and the one for pieces that go on with a word. */
export const BEGINNING = 1;
export const CONTINUATION = 2;
/** No node, and no row. */
export const NONE = 0;

const SLOTS = 1 << 18;
/** BERT's vocabulary has some 72,000. */
const MAX_NODES = SLOTS / 2;

/**
 * Word pieces by their letters, in a hash table of edges: from a node and a UTF-16 unit to the next node. Nothing is
 * allocated by a lookup, and its cost is bounded by the longest piece; of a Map it would be a string for each length that
 * is tried.
 */
export class PieceTrie {
  readonly #slots = new Int32Array(SLOTS);
  readonly #parents = new Int32Array(MAX_NODES);
  readonly #units = new Uint16Array(MAX_NODES);
  readonly #rows = new Int32Array(MAX_NODES).fill(-1);
  #nodes = CONTINUATION + 1;

  add(from: typeof BEGINNING | typeof CONTINUATION, letters: string, row: number): void {
    let node: number = from;
    for (let index = 0; index < letters.length; index += 1) {
      node = this.next(node, letters.charCodeAt(index)) || this.#addNode(node, letters.charCodeAt(index));
    }
    this.#rows[node] = row;
  }

  /** NONE when no piece goes on like that. */
  next(node: number, unit: number): number {
    let slot = slotOf(node, unit);
    let child = this.#slots[slot] ?? NONE;
    while (child !== NONE && (this.#parents[child] !== node || this.#units[child] !== unit)) {
      slot = (slot + 1) % SLOTS;
      child = this.#slots[slot] ?? NONE;
    }
    return child;
  }

  /** The row of the piece that ends at the node; -1: none does. */
  row(node: number): number {
    return this.#rows[node] ?? -1;
  }

  #addNode(parent: number, unit: number): number {
    const node = this.#nodes;
    if (node === MAX_NODES) throw new RangeError(`more than ${MAX_NODES} nodes`);
    this.#nodes += 1;
    this.#parents[node] = parent;
    this.#units[node] = unit;
    let slot = slotOf(parent, unit);
    while (this.#slots[slot] !== NONE) slot = (slot + 1) % SLOTS;
    this.#slots[slot] = node;
    return node;
  }
}

function slotOf(node: number, unit: number): number {
  const hash = Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b);
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}
