/**
 * Ctrl-C (or SIGTERM) as a signal to end orderly, so that a verb can say what stays behind. A second one ends the
 * process at once, as the shell's user expects.
 */
export function untilInterrupted(): { signal: AbortSignal; readonly interrupted: boolean } {
	const controller = new AbortController();
	for (const name of ['SIGINT', 'SIGTERM'] as const) {
		process.once(name, () => controller.abort(new Error('interrupted')));
	}
	return {
		signal: controller.signal,
		get interrupted() {
			return controller.signal.aborted;
		},
	};
}
