/** A new leader may know job pods before it knows runners; then they are looked after again after this, in ms. */
export const runnersListedMs = 500;
