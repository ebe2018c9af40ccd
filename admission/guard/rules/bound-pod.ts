import { boundPod } from '../../api/keys.ts';

/** The pod that a caller's token is bound to: the caller runs in it. */
export interface BoundPod {
	namespace: string;
	name: string;
	uid: string;
}

/** The pod in which the caller runs, as the API server has read it from the caller's token; undefined: none. */
export function boundPodOf({
	username = '',
	extra,
}: {
	username?: string;
	extra?: Record<string, string[]>;
}): BoundPod | undefined {
	const [, namespace] = /^system:serviceaccount:([^:]+):/.exec(username) ?? [];
	const name = extra?.[boundPod.name]?.[0];
	const uid = extra?.[boundPod.uid]?.[0];
	return namespace && name && uid ? { namespace, name, uid } : undefined;
}
