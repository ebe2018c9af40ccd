/** What all simulated runners share, and what may differ from namespace to namespace. */
import type { GitHub } from './github.ts';
import type { HookOptions } from './job-hooks.ts';
import type { Journal } from './journal.ts';
import type { Kube } from './kube.ts';
import type { LogState } from './kubelet.ts';
import type { PodWorkers } from './pod-workers.ts';
import type { Shells } from './shells.ts';

export interface AgentContext {
	kube: Kube;
	github: GitHub;
	journal: Journal;
	shells: Shells;
	/** Where the files of containers are made. */
	folder: string;
	registrationDelayMs: number | ((sinceCreatedMs: number) => number);
	exitDelayMs: number;
	jobStatusDelayMs: number;
	checkTokens: boolean;
	exitWhenRemovedMs: number | undefined;
	removedPollMs: number;
	hooks: HookOptions | 'off';
	inTurn: <T>(agents: T[]) => T[];
	/** Pods whose containers are started as a real kubelet does it. */
	workers: Pick<PodWorkers, 'has' | 'waiting' | 'exited'>;
	/** Pods, by `namespace/name`, with another state of the log than their namespace's. */
	logs: Map<string, LogState>;
	/** What differs from the above, by namespace. */
	namespaces: Map<string, NamespaceOptions>;
}

export interface NamespaceOptions
	extends Partial<
		Pick<
			AgentContext,
			'registrationDelayMs' | 'exitDelayMs' | 'jobStatusDelayMs' | 'checkTokens' | 'removedPollMs' | 'hooks'
		>
	> {
	exitWhenRemovedMs?: number;
	/** Whether the kubelet serves these runners' logs; default 'on'. Takes effect at once. */
	log?: LogState;
	/** As if ACTIONS_RUNNER_PRINT_LOG_TO_STDOUT were set in every runner's env. */
	printLogToStdout?: boolean;
}
