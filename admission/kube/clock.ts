// Moved to admission/time; imports of the old place are being replaced.
export type { Clock } from '../time/clock.ts';
export { withDeadline } from '../time/deadline.ts';
