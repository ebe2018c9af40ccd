import { chance, exponential, lognormal, logUniform, uniform } from './chance.ts';
import type { Constants, StartUp } from './constants.ts';

/** A job as it would be on enough runners. */
export interface TraceJob {
	id: number;
	runId: number;
	repository: string;
	name: string;
	/** From the start of the day. */
	createdMs: number;
	durationMs: number;
	/** How long after its arrival somebody cancels it, if it is not over by then; undefined: nobody does. */
	cancelAfterMs: number | undefined;
}

/** The jobs of a day, by their arrival. */
export function traceOf(constants: Constants, seed: number): TraceJob[] {
	const { dayMs, runs, dayToNight, fanOut, spreadMs, repositories, duration, cancelled } = constants;
	const arrivals = chance(seed, 'arrivals');
	const busiest = (2 * dayToNight) / (dayToNight + 1);
	const meanGapMs = dayMs / (runs * busiest);
	const jobs: TraceJob[] = [];
	let runId = 0;
	// Thinned: those of the busiest time, each kept by how busy it is then. The day begins at the quietest time.
	for (let atMs = exponential(arrivals, meanGapMs); atMs < dayMs; atMs += exponential(arrivals, meanGapMs)) {
		const rate = (1 + ((dayToNight - 1) * (1 - Math.cos((2 * Math.PI * atMs) / dayMs))) / 2) / dayToNight;
		if (arrivals() >= rate) continue;
		runId += 1;
		const next = chance(seed, 'run', runId);
		// The first few repositories have most of the runs.
		const repository = `example/r${Math.floor(repositories * next() ** 2) + 1}`;
		const more = next() < fanOut.alonePart ? 0 : Math.max(1, Math.round(exponential(next, fanOut.mean)));
		for (let index = 0; index < Math.min(fanOut.most, 1 + more); index++) {
			const { longPart, longFromMs, longToMs, medianMs, sigma, mostMs } = duration;
			const long = next() < longPart;
			const drawnMs = long ? logUniform(next, longFromMs, longToMs) : lognormal(next, medianMs, sigma);
			const durationMs = Math.min(mostMs, drawnMs);
			const cancelAfterMs = next() < cancelled.part ? exponential(next, cancelled.meanMs) : undefined;
			const createdMs = atMs + uniform(next, 0, spreadMs);
			jobs.push({ id: 0, runId, repository, name: `job ${index}`, createdMs, durationMs, cancelAfterMs });
		}
	}
	jobs.sort((a, b) => a.createdMs - b.createdMs);
	for (const [index, job] of jobs.entries()) job.id = index + 1;
	return jobs;
}

/** How long the pod that is created as the nth takes until GitHub has its runner; the same whoever creates it. */
export function startUpMs({ fixedMs, meanMs, slowPart, slowMs }: StartUp, seed: number, nth: number): number {
	const next = chance(seed, 'start-up', nth);
	return fixedMs + exponential(next, meanMs) + (next() < slowPart ? slowMs : 0);
}
