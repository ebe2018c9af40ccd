import type { Pod } from '../../../admission/api/kinds.ts';
import { mapLimited } from '../../kube/limited.ts';
import type { Progress } from '../../print/progress.ts';
import type { Outcome } from '../../runners/ask.ts';

/** A command that prints nothing for longer than this seems to hang. In ms. */
export const saidAfterMs = 3_000;

/** A timer; it returns how to cancel it. */
type After = (ms: number, callback: () => void) => () => void;

const realTime: After = (ms, callback) => {
	const timer = setTimeout(callback, ms);
	return () => clearTimeout(timer);
};

/**
 * Asks for each pod, some at a time. `answered` receives each outcome as soon as those of the pods before it have come. The
 * answer about an idle runner takes seconds, and more where many are waiting: after `saidAfterMs` the progress says so.
 */
export async function askAll(
	pods: readonly Pod[],
	ask: (pod: Pod) => Promise<Outcome>,
	answered: (pod: Pod, outcome: Outcome) => void,
	progress: Pick<Progress, 'waiting' | 'settled'>,
	after: After = realTime,
): Promise<void> {
	const key = 'answers';
	const outcomes = new Map<Pod, Outcome>();
	let next = 0;
	let isLong = false;
	const say = (isFirst: boolean) =>
		progress.waiting(key, {
			text: `waiting for answers about ${pods.length - outcomes.size} of ${pods.length} runners`,
			detail: 'GitHub unregisters idle ones first, as fast as its rate limit allows',
			redrawnOnly: !isFirst,
		});
	const cancel = after(saidAfterMs, () => {
		isLong = true;
		say(true);
	});
	try {
		await mapLimited(pods, async (pod) => {
			outcomes.set(pod, await ask(pod));
			for (let one = pods[next]; one && outcomes.has(one); one = pods[++next]) {
				answered(one, outcomes.get(one)!);
			}
			if (isLong) say(false);
		});
	} finally {
		cancel();
		isLong = false; // an error ends the command while others are still being asked
		progress.settled(key);
	}
}
