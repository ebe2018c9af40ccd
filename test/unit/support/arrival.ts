import type { Arrival } from '../../../admission/webhook/review.ts';
import { noon } from '../runner/pods.ts';

/** A review that came from the API server as the webhook configurations lead it, at noon. */
export const known: Arrival = { atMs: noon, caller: 'known', certified: false };

/** The same, from somebody who does not know the path. */
export const unauthenticatedCaller: Arrival = { ...known, caller: 'unauthenticated' };
