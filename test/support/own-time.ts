/** How long this takes, in ms of this process's own CPU time: other work on the machine is not counted. */
export function ownMs(work: () => void): number {
	const before = process.cpuUsage();
	work();
	const { user, system } = process.cpuUsage(before);
	return (user + system) / 1_000;
}

/** The shortest of several runs, as ownMs measures it. */
export const fastestMs = (runs: number, work: () => void): number =>
	Math.min(...Array.from({ length: runs }, () => ownMs(work)));
