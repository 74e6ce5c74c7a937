/**
 * Settings that may change while the server runs. They are replaced as a whole: read them once at the beginning of a call,
 * so that one call never uses two configurations.
 */
export type Reloadable<T> = () => T;
