/**
 * A signal that is aborted when one of the two is. Call `unlink` when it is no longer needed: the second signal lives
 * as long as the process, and with AbortSignal.any its listeners would pile up.
 */
export function eitherSignal(
	first: AbortSignal | undefined,
	second: AbortSignal,
): { signal: AbortSignal; unlink: () => void } {
	if (!first) return { signal: second, unlink: () => {} };
	const controller = new AbortController();
	const abort = () => controller.abort();
	if (first.aborted || second.aborted) abort();
	first.addEventListener('abort', abort, { once: true });
	second.addEventListener('abort', abort, { once: true });
	const unlink = () => {
		first.removeEventListener('abort', abort);
		second.removeEventListener('abort', abort);
	};
	return { signal: controller.signal, unlink };
}
