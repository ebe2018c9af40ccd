import type { Pin } from './identity/pin.ts';
import { type Scope, scopeKey } from './scope.ts';

/**
 * What this server signs on a pod, as the texts under the signature. Each is bound to the pod's UID, and what GitHub said
 * of a runner also to the run of its container, its scope, name and id: after a restart in place, or an edit that makes
 * the pod stand for another runner, it says nothing.
 */
export type Statement = { purpose: Purpose; texts: readonly string[] };

type Purpose =
	| 'unregistered'
	| 'registered'
	| 'absent'
	| 'record'
	| 'node-gone'
	| 'identity'
	| 'jobs'
	| 'idle'
	| 'break-glass';

/** Whether `given` is this server's signature over the statement. */
export type Verify = (statement: Statement, given: string | undefined) => boolean;

/** Makes this server's signature. */
export type Sign = (statement: Statement) => string;

/** The run of a container, and which runner it is at GitHub, as `runnerText` says it. */
interface Run {
	uid: string;
	restarts: number;
	runner: string;
}

/** Which runner a pod is at GitHub: `octo-org/app build-1`; undefined where its scope is not known. */
export const runnerText = (pod: { scope: Scope | undefined; runnerName: string }): string | undefined =>
	pod.scope && `${scopeKey(pod.scope)} ${pod.runnerName}`;

/** GitHub answered 204 to the DELETE of this id. */
export const unregistered = (run: Run, runnerId: number, completedAt: string): Statement => ({
	purpose: 'unregistered',
	texts: [...textsOf(run), String(runnerId), completedAt],
});

/** GitHub's list showed this id under the runner's name. */
export const registered = (run: Run, runnerId: number): Statement => ({
	purpose: 'registered',
	texts: [...textsOf(run), String(runnerId)],
});

/** GitHub's lists have lacked the runner since then. */
export const absent = (run: Run, since: string): Statement => ({
	purpose: 'absent',
	texts: [...textsOf(run), since],
});

/** GitHub's lists have shown the runner as idle since then. */
export const idle = (run: Run, since: string): Statement => ({
	purpose: 'idle',
	texts: [...textsOf(run), since],
});

/** Somebody asked for the pod's deletion. `options`: the annotation's text. */
export const recorded = (
	uid: string,
	requestedAt: string,
	requestedBy: string,
	options: string,
): Statement => ({
	purpose: 'record',
	texts: [uid, requestedAt, requestedBy, options],
});

/** This user had the pod deleted by break-glass. */
export const deletedBy = (uid: string, user: string): Statement => ({
	purpose: 'break-glass',
	texts: [uid, user],
});

/** The pod's Node object is missing since then. */
export const nodeGone = (uid: string, nodeName: string, since: string): Statement => ({
	purpose: 'node-gone',
	texts: [uid, nodeName, since],
});

/** A scale set's runner is registered there. */
export const pinned = (uid: string, { scope, host, credentialsSecret }: Pin): Statement => ({
	purpose: 'identity',
	texts: [uid, scope, host, credentialsSecret ?? ''],
});

/** Who says that the runner works, during this run of its container. `signals`: the annotation's text. */
export const jobSignals = (uid: string, restarts: number, signals: string): Statement => ({
	purpose: 'jobs',
	texts: [uid, String(restarts), signals],
});

const textsOf = ({ uid, restarts, runner }: Run) => [uid, String(restarts), runner];
