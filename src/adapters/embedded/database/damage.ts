/** Tables without which a memory cannot be found by its id. */
const NEEDED_BY_ID: ReadonlySet<string> = new Set(["memory", "namespace"]);

/** Damage of a table that cannot be repaired from the rest of the file. */
export interface TableDamage {
  readonly table: string;
  readonly what: string;
}

/** Called when the known damage has changed. */
export type DamageListener = (damage: Damage) => void;

/** The known damage of a file, found by the full check or by a read. */
export class Damage {
  readonly #onChange: DamageListener;
  /** Undefined until the check has finished. */
  #checked: readonly TableDamage[] | undefined;
  #met = false;
  readonly #repaired: string[] = [];

  constructor(onChange: DamageListener) {
    this.#onChange = onChange;
  }

  /** Records that a statement met damage; SQLite does not name the table. Returns whether it is the first time. */
  met(): boolean {
    if (this.#met) return false;
    this.#met = true;
    this.#onChange(this);
    return this.#unexplained;
  }

  /** Records the findings of a finished check; they explain damage that statements met before. */
  found({ damage }: { readonly damage: readonly TableDamage[] }, repaired: readonly string[]): void {
    this.#checked = damage;
    this.#repaired.push(...repaired);
    if (repaired.length > 0) this.#met = false;
    if (damage.length > 0 || repaired.length > 0) this.#onChange(this);
  }

  /** Whether a memory that is not found may have been lost. */
  get hidesMemories(): boolean {
    const checked = this.#checked ?? [];
    return checked.some(({ table }) => NEEDED_BY_ID.has(table)) || this.#unexplained;
  }

  /** Parts that are damaged now. */
  get parts(): readonly string[] {
    const found = (this.#checked ?? []).map(({ table, what }) => `${table}: ${what}`);
    return this.#unexplained ? [...found, "a read met a damaged page"] : found;
  }

  /** Parts that were damaged and have been rebuilt. */
  get repaired(): readonly string[] {
    return this.#repaired;
  }

  get #unexplained(): boolean {
    return this.#met && (this.#checked ?? []).length === 0;
  }
}
