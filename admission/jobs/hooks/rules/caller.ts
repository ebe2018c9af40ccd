import { hookAudience } from './layout.ts';

/** The parts of a TokenReview's status that are read. */
export interface TokenStatus {
	authenticated?: boolean;
	audiences?: string[];
	error?: string;
	user?: { username?: string; extra?: Record<string, string[]> };
}

/** The pod that a token was made for. */
export interface Caller {
	namespace: string;
	pod: string;
	uid: string;
}

const podName = 'authentication.kubernetes.io/pod-name';
const podUid = 'authentication.kubernetes.io/pod-uid';

/** Who sent a token, as the API server says, or why it is not accepted. */
export function callerOf(status: TokenStatus | undefined): Caller | { why: string } {
	if (!status?.authenticated) return { why: 'the API server does not accept its token' };
	// An API server that knows no audiences leaves them out, and has accepted a token for anybody.
	if (!status.audiences?.includes(hookAudience)) return { why: 'its token is for another audience' };
	const { username = '', extra = {} } = status.user ?? {};
	const [, namespace] = /^system:serviceaccount:([^:]+):[^:]+$/.exec(username) ?? [];
	const [pod] = extra[podName] ?? [];
	const [uid] = extra[podUid] ?? [];
	if (!namespace || !pod || !uid) return { why: 'its token is not bound to a pod' };
	return { namespace, pod, uid };
}
