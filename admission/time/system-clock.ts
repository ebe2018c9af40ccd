import { type Clock, inLegs, sleepUntil } from './clock.ts';

/** The time of this machine. Only the composition root hands it out; everything else is passed a Clock. */
export const systemClock: Clock = {
	now: () => Date.now(),
	monotonic: () => performance.now(),
	random: () => Math.random(),
	after: inLegs((ms, callback) => {
		const timer = setTimeout(callback, ms);
		return () => clearTimeout(timer);
	}),
	sleep: (ms, signal) => sleepUntil(systemClock.after, ms, signal),
};
