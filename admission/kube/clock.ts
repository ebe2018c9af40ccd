// Moved to admission/time; imports of the old place are being replaced.
export type { Clock } from '../time/clock.ts';
