/**
 * The job hooks of a simulated runner: the scripts of its pod or its image, run by a real shell as the runner runs them
 * (actions/runner: JobExtension.cs, JobHookProvider.cs, ScriptHandler.cs).
 */
import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import type { Job } from './job.ts';
import type { Kube } from './kube.ts';
import { PodFiles } from './pod-files.ts';
import { type PodItem, runnerContainer } from './runner-pod.ts';
import type { ShellRun, Shells } from './shells.ts';

export type HookPhase = 'started' | 'completed';

export interface HookOptions {
	/**
	 * How the image runs hooks. 'arc' (summerwind/actions-runner): it sets the variables itself, whatever the pod says,
	 * and runs all files in /etc/arc/hooks/job-started.d and job-completed.d under `set -e`. 'github': what the pod's
	 * variables name. 'own-hook': the same, but the image has these variables itself where the pod has none. The
	 * default depends on the image's name.
	 */
	layout?: 'arc' | 'github' | 'own-hook';
	/** From the job's assignment to its first hook: actions are downloaded first. Default 0; 8,000 is usual. */
	delayMs?: number;
	/** From the last hook to the worker's end: logs are uploaded. Default 0. */
	finishMs?: number;
	/** Files of the image, by their paths in the container. */
	imageFiles?: Readonly<Record<string, string>>;
}

const variables = {
	started: 'ACTIONS_RUNNER_HOOK_JOB_STARTED',
	completed: 'ACTIONS_RUNNER_HOOK_JOB_COMPLETED',
} as const;

/** ARC's image: runner/startup.sh sets the variables to these, runner/hooks has them. */
const arcHooks = {
	started: '/etc/arc/hooks/job-started',
	completed: '/etc/arc/hooks/job-completed',
} as const;
const ownHooks = { started: '/opt/image/job-started.sh', completed: '/opt/image/job-completed.sh' } as const;
const arcImage = /(^|\/)summerwind\/actions-runner/;

export class JobHooks {
	readonly delayMs: number;
	readonly finishMs: number;
	/** The files are there, as before any container starts. */
	readonly ready: Promise<void>;
	readonly #shells: Shells;
	readonly #files: PodFiles;
	readonly #env: Record<string, string>;
	#ended = new AbortController();

	private constructor(
		shells: Shells,
		pod: PodItem,
		files: PodFiles,
		layout: NonNullable<HookOptions['layout']>,
		options: HookOptions,
	) {
		this.#shells = shells;
		this.#files = files;
		this.#env = envOf(pod, layout);
		this.delayMs = options.delayMs ?? 0;
		this.finishMs = options.finishMs ?? 0;
		this.ready = files.make(pod);
		this.ready.catch(() => undefined); // reported to those that await it
	}

	/** undefined: this pod's runner runs no hooks. */
	static of(
		options: HookOptions | 'off',
		{ kube, shells }: { kube: Kube; shells: Shells },
		pod: PodItem,
		folder: string,
	): JobHooks | undefined {
		if (options === 'off') return undefined;
		const container = pod.spec.containers.find(({ name }) => name === runnerContainer);
		const layout = options.layout ?? (arcImage.test(container?.image ?? '') ? 'arc' : 'github');
		const brought = [
			...(container?.volumeMounts ?? []).map(({ mountPath }) => mountPath),
			...Object.keys(options.imageFiles ?? {}),
		];
		const env = envOf(pod, layout);
		const has =
			layout === 'arc'
				? brought.some((path) => Object.values(arcHooks).some((hook) => `${path}/`.startsWith(`${hook}.d/`)))
				: Boolean(env[variables.started] || env[variables.completed]);
		if (!has) return undefined;
		const imageFiles = { ...imageFilesOf(layout), ...options.imageFiles };
		return new JobHooks(shells, pod, new PodFiles(kube, folder, imageFiles), layout, options);
	}

	/** Represents `/` of the container. */
	get root(): string {
		return this.#files.root;
	}

	/** undefined: no hook of this phase. A failed hook fails the job. */
	async run(phase: HookPhase, job: Job, pod: PodItem, runner: string): Promise<ShellRun | undefined> {
		const path = this.#env[variables[phase]];
		if (!path) return undefined;
		await this.ready;
		await this.#files.refresh(pod);
		const file = this.#files.place(path);
		if (!existsSync(file)) return { exitCode: 1, tookMs: 0, output: "File doesn't exist" };
		const env = { ...this.#environment(job, runner) };
		for (const name of Object.values(variables)) {
			const value = this.#env[name];
			if (value) env[name] = this.#files.place(value);
		}
		const command = commandOf(file);
		if (command === undefined)
			return { exitCode: 1, tookMs: 0, output: `${path} is not a valid path to a script.` };
		return this.#shells.run(command, {
			env,
			cwd: this.#files.place('/tmp'),
			signal: this.#ended.signal,
		});
	}

	/** The worker is killed, and its hook with it. */
	kill(): void {
		this.#ended.abort();
		this.#ended = new AbortController();
	}

	async dispose(): Promise<void> {
		this.kill();
		await this.ready.catch(() => undefined);
		await this.#files.remove();
	}

	#environment(job: Job, runner: string): Record<string, string> {
		const tmp = this.#files.place('/tmp');
		return {
			PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
			HOME: tmp,
			...this.#env,
			TMPDIR: tmp,
			CI: 'true',
			GITHUB_ACTIONS: 'true',
			GITHUB_REPOSITORY: job.repository,
			GITHUB_WORKFLOW: job.workflow,
			GITHUB_JOB: job.key,
			GITHUB_RUN_ID: String(job.workflowRunId),
			GITHUB_RUN_ATTEMPT: String(job.runAttempt),
			GITHUB_SERVER_URL: 'https://github.com',
			RUNNER_NAME: runner,
			RUNNER_TRACKING_ID: job.trackingId,
		};
	}
}

/** The variables of the container, the pod's and those that its image sets. */
function envOf(pod: PodItem, layout: NonNullable<HookOptions['layout']>): Record<string, string> {
	const container = pod.spec.containers.find(({ name }) => name === runnerContainer);
	const own = Object.fromEntries(
		(container?.env ?? []).flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])),
	);
	const named = (paths: Record<HookPhase, string>) =>
		Object.fromEntries(Object.entries(variables).map(([phase, name]) => [name, paths[phase as HookPhase]]));
	if (layout === 'own-hook') return { ...named(ownHooks), ...own };
	if (layout === 'github') return own;
	return { ...own, ...named({ started: `${arcHooks.started}.sh`, completed: `${arcHooks.completed}.sh` }) };
}

function imageFilesOf(layout: NonNullable<HookOptions['layout']>): Record<string, string> {
	if (layout === 'own-hook')
		return {
			[ownHooks.started]: 'echo "the image\'s own hook: started"\n',
			[ownHooks.completed]: 'echo "the image\'s own hook: completed"\n',
		};
	if (layout === 'github') return {};
	return Object.fromEntries(
		Object.values(arcHooks).flatMap((hook) => [
			[`${hook}.sh`, arcHook],
			[`${hook}.d/update-status`, '#!/bin/sh\n'],
		]),
	);
}

/** Runs the files in the folder of the same name, until one fails. */
const arcHook = `#!/usr/bin/env bash
set -Eeuo pipefail
for hook in "\${0%.sh}.d"/*; do
	"$hook" "$@"
done
`;

/** With system shells hooks have the arguments of `sh`, even in bash. */
function commandOf(file: string): string[] | undefined {
	switch (extname(file)) {
		case '.sh':
			return [existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh', '-e', file];
		case '.js':
			return [process.execPath, file];
		default:
			return undefined;
	}
}
