import type { Pod } from '../../admission/api/kinds.ts';
import { deletionRecord } from './state.ts';

/** The message of a wait that timed out, phrased like kubectl's, and what continues without it. */
export function timedOut(left: readonly Pod[]): string {
	const lines = [`error: timed out waiting for the condition on ${names(left, 'pods/')}`, cancelHint(left)];
	return lines.filter(Boolean).join('\n');
}

/** What continues after this command has ended, and how to stop it; empty if nothing does. */
export function cancelHint(left: readonly Pod[]): string {
	const recorded = left.filter(deletionRecord);
	if (recorded.length === 0) return '';
	const namespaces = [...new Set(recorded.map((pod) => pod.metadata.namespace))];
	const commands = namespaces.map((namespace) => {
		const pods = recorded.filter((pod) => pod.metadata.namespace === namespace);
		return `kubectl runners cancel ${pods.map((pod) => pod.metadata.name).join(' ')} -n ${namespace}`;
	});
	const deletions =
		recorded.length === 1 ? 'deletion of 1 runner is' : `deletions of ${recorded.length} runners are`;
	return `The ${deletions} still recorded and completed when the jobs end. To cancel: ${commands.join('; ')}`;
}

function names(pods: readonly Pod[], prefix = '', most = 5): string {
	const shown = pods.slice(0, most).map((pod) => prefix + pod.metadata.name);
	if (pods.length > most) shown.push(`${pods.length - most} more`);
	return shown.join(', ');
}
