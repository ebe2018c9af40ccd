/** A kernel may count a thread's CPU time in ticks, ms: what is measured is at most this much too short. */
const tickMs = 10;

/**
 * The longest time for which `work` keeps the event loop from everything else, ms: until it resolves, turn by turn. While
 * it waits, no time passes; nor does it while other processes have the CPU, but for `tickMs`.
 */
export async function longestTurn(work: () => unknown): Promise<number> {
	let longestMs = 0;
	let before = times();
	let isOver = false;
	const tick = () => {
		const now = times();
		const turnMs = Math.min(now.wallMs - before.wallMs, now.cpuMs - before.cpuMs + tickMs);
		longestMs = Math.max(longestMs, turnMs);
		before = now;
		if (!isOver) setImmediate(tick);
	};
	setImmediate(tick);
	try {
		await work();
	} finally {
		tick();
		isOver = true;
	}
	return longestMs;
}

function times(): { wallMs: number; cpuMs: number } {
	const { user, system } = process.threadCpuUsage();
	return { wallMs: performance.now(), cpuMs: (user + system) / 1000 };
}
