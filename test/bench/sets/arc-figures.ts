import type { Kind } from '../../rig/runner-sets.ts';

/**
 * What actions-runner-controller took for the same runs, measured once beside the same kind of control plane (one VM
 * with 2 cores; commit 2ee6b3b8 with its pod webhook's decoder fixed, one worker per controller, Kubernetes client 20
 * calls a second, debug log). Seconds, medians where it ran more than once; NaN: not read.
 */
export interface ArcFigures {
	podsExist: Record<number, number>;
	idsKnown: Record<number, number>;
	upCalls: Record<number, number>;
	upCpu: Record<number, number>;
	/** Last pod gone. */
	idleGone: Record<number, number>;
	downCalls: Record<number, number>;
	downCpu: Record<number, number>;
	downLogLines: Record<number, number>;
	downErrors: Record<number, number>;
	/** MiB, of a process that went up and down. */
	peakRss: Record<number, number>;
	/** 50 busy to 0: last job's end to last pod gone. */
	busyGone: number;
	busyLeft: number;
	busyCalls: number;
	busyErrors: number;
	busyLogLines: number;
}

export const arc: Record<Kind, ArcFigures> = {
	RunnerDeployment: {
		podsExist: { 50: 8.2, 500: 103.2 },
		idsKnown: { 50: 68.8, 500: 145 },
		upCalls: { 50: 3, 500: 9 },
		upCpu: { 50: 1.4, 500: 20.9 },
		idleGone: { 50: 10.1, 500: 127.9 },
		downCalls: { 50: 53, 500: 503 },
		downCpu: { 50: 1.2, 500: 13.7 },
		downLogLines: { 50: 359, 500: 4059 },
		downErrors: { 50: 7, 500: 95 },
		peakRss: { 50: 55, 500: 88 },
		busyGone: 7.7,
		busyLeft: 0,
		busyCalls: 51,
		busyErrors: 12,
		busyLogLines: 497,
	},
	RunnerSet: {
		podsExist: { 50: 8.4, 500: 96.6 },
		idsKnown: { 50: 68.9, 500: 131.3 },
		upCalls: { 50: 3, 500: 11 },
		upCpu: { 50: 1.3, 500: 38.7 },
		idleGone: { 50: 8.8, 500: 134.3 },
		downCalls: { 50: 52, 500: 501 },
		downCpu: { 50: 1, 500: 31.3 },
		downLogLines: { 50: 153, 500: 1982 },
		downErrors: { 50: 4, 500: 125 },
		peakRss: { 50: 60, 500: 115 },
		// The last one was still there after 154 s.
		busyGone: 154,
		busyLeft: 1,
		busyCalls: 53,
		busyErrors: 8,
		busyLogLines: Number.NaN,
	},
};

/** 25 of 50 busy, 50 to 25 (RunnerDeployment only): 29 were picked, 11 idle ones kept, 14 pods made afterwards. */
export const arcMixed = { idleRemoved: 14, busyMarked: 15, podsMadeLater: 14, calls: 34, errors: 38 };
