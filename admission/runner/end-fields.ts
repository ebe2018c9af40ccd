import type { Condition, ContainerStatus, Pod, Resources } from '../api/kinds.ts';

/** Texts that a kubelet writes about the end of a pod. An eviction's names several containers. */
const longestMessage = 1_000;
const mostContainers = 20;

/** The condition by which whoever has a pod deleted says why (KEP-3329). */
export const disruption = 'DisruptionTarget';

/** What is said of a pod's end, in addition to `trimProcess`: kept for pods of which something is said. */
export function trimEnd({ status }: Pod): {
	reason?: string;
	message?: string;
	conditions: Condition[];
	initContainerStatuses?: ContainerStatus[];
} {
	const conditions = (status?.conditions ?? [])
		.filter(({ type, status: met }) => type === disruption && met === 'True')
		.slice(0, 1)
		.map(({ type, status: met, reason, message }) => ({
			type,
			status: met,
			...(reason === undefined ? {} : { reason }),
			...(message === undefined ? {} : { message: message.slice(0, longestMessage) }),
		}));
	const inits = status?.phase === 'Failed' ? status.initContainerStatuses : undefined;
	return {
		conditions,
		...(status?.reason === undefined ? {} : { reason: status.reason }),
		...(status?.message === undefined ? {} : { message: status.message.slice(0, longestMessage) }),
		...(inits ? { initContainerStatuses: inits.slice(0, mostContainers) } : {}),
	};
}

/** The limits of a container; undefined: it has none. */
export function limitsOf({ limits }: Resources = {}): Record<string, string> | undefined {
	const set = Object.entries(limits ?? {}).slice(0, 8);
	return set.length > 0 ? Object.fromEntries(set) : undefined;
}
