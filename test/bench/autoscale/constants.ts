/**
 * What the simulated day is made of. Where it comes from: durations are fitted to published figures (CircleCI's 14 million
 * workflows: median 3.3 min; 80 % under 10 min); start-up times are those of a pod on a node that is there, and of one for
 * which a node is made. What is assumed has the word.
 */
const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

export interface StartUp {
	fixedMs: number;
	/** On top, exponentially distributed with this mean. */
	meanMs: number;
	/** A part of the pods takes so much longer: a large image, a busy node. */
	slowPart: number;
	slowMs: number;
}

export interface Constants {
	/** For how long jobs arrive. */
	dayMs: number;
	/** Until when runners and jobs are counted. */
	endMs: number;
	/** Runs of workflows that arrive in `dayMs`. */
	runs: number;
	/** How many times as many arrive at the busiest time as at the quietest, half a `dayMs` later (assumed). */
	dayToNight: number;
	/** Jobs of a run: one, or one and exponentially distributed more (assumed). */
	fanOut: { alonePart: number; mean: number; most: number };
	/** The jobs of a run are queued within this time. */
	spreadMs: number;
	repositories: number;
	/** Lognormal, and a part of them log-uniform between two times; none longer than `mostMs`. */
	duration: {
		medianMs: number;
		sigma: number;
		longPart: number;
		longFromMs: number;
		longToMs: number;
		mostMs: number;
	};
	/** A part of the jobs is cancelled, an exponentially distributed time after its arrival, queued or running (assumed). */
	cancelled: { part: number; meanMs: number };
	events: {
		/** From GitHub's side to the record of the job, uniform. */
		latencyFromMs: number;
		latencyToMs: number;
		lost: number;
		/** The part of the lost ones that GitHub's list of failed deliveries does not show (assumed). */
		silent: number;
		doubled: number;
		/** The second delivery comes at most so much later. */
		doubledMs: number;
		reordered: number;
		/** A reordered one comes so much later, exponentially distributed with this mean (assumed). */
		reorderedMs: number;
	};
	startUp: StartUp;
	/** Part of the pods whose runner hangs: GitHub lists it as idle and gives it no job. */
	sick: number;
	/** Most runners at a time. */
	max: number;
	/** From a job's start until the runner's log or hook has said so, without the job's id. */
	signalMs: number;
	/** From a job's end until its pod has exited. */
	exitMs: number;
	/** From a change until the set has acted on it and the API server has taken the creates. */
	reactMs: number;
	/** From a pod's container's start until GitHub has the runner, the last part of the start-up. */
	registersMs: number;
	/** How long GitHub takes to answer a call. */
	callMs: number;
	/** How often failed deliveries are read. */
	deliveriesEveryMs: number;
	/** Whether GitHub has a webhook for its events. */
	webhook: boolean;
	/** Whether our credentials may read jobs and runs: else only failed deliveries are read. */
	mayReadJobs: boolean;
}

/** About 4,000 jobs and 570 hours of work; a pod starts within 20 s to 2 min. */
export const usualDay: Constants = {
	dayMs: 24 * hour,
	endMs: 30 * hour,
	runs: 1_250,
	dayToNight: 8,
	fanOut: { alonePart: 0.45, mean: 4, most: 40 },
	spreadMs: 2 * second,
	repositories: 20,
	duration: {
		medianMs: 3.3 * minute,
		sigma: 1.317,
		longPart: 0.01,
		longFromMs: hour,
		longToMs: 5 * hour,
		mostMs: Number.POSITIVE_INFINITY,
	},
	cancelled: { part: 0.04, meanMs: 3 * minute },
	events: {
		latencyFromMs: 300,
		latencyToMs: 1_500,
		lost: 0.02,
		silent: 0.1,
		doubled: 0.05,
		doubledMs: 30 * second,
		reordered: 0.05,
		reorderedMs: 5 * second,
	},
	startUp: { fixedMs: 18 * second, meanMs: 8 * second, slowPart: 0.1, slowMs: 90 * second },
	sick: 0,
	max: 200,
	signalMs: second,
	exitMs: 2 * second,
	reactMs: 500,
	registersMs: 5 * second,
	callMs: 300,
	deliveriesEveryMs: minute,
	webhook: true,
	mayReadJobs: true,
};

/** A node is made for each pod, about 2 min. */
export const newNodes: StartUp = {
	fixedMs: 100 * second,
	meanMs: 20 * second,
	slowPart: 0.1,
	slowMs: 90 * second,
};

/** One busy hour without the longest jobs, of about 250 jobs on at most 50 runners: to be compressed, and run on a cluster. */
export const busyHour: Constants = {
	...usualDay,
	dayMs: hour,
	endMs: 3 * hour,
	runs: 75,
	dayToNight: 1,
	duration: { ...usualDay.duration, sigma: 0.9, longPart: 0, mostMs: 15 * minute },
	max: 50,
};

/** The same with all times divided by `factor`: a day in so much less. The times of GitHub and the cluster themselves stay. */
export function compressed(constants: Constants, factor: number): Constants {
	const { duration, startUp, cancelled } = constants;
	const shorter = <T extends object>(times: T): T =>
		Object.fromEntries(
			Object.entries(times).map(([name, value]) => [name, name.endsWith('Ms') ? value / factor : value]),
		) as T;
	const { dayMs, endMs, spreadMs } = constants;
	return {
		...constants,
		...shorter({ dayMs, endMs, spreadMs }),
		duration: shorter(duration),
		startUp: shorter(startUp),
		cancelled: shorter(cancelled),
	};
}
