/**
 * Settings that an operator may change while the server runs. They are replaced as a whole: ask once where a call
 * begins and keep the answer, so that one call never sees two configurations.
 */
export type Reloadable<T> = () => T;
