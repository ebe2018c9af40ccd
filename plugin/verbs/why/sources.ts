import { busy, jobHooks, progress } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { type LogReading, loggedMs } from '../../../admission/jobs/rules/runner-log.ts';
import { jobOf as jobOfEphemeralRunner, type RunnerPod } from '../../../admission/runner/runner-pod.ts';
import { type SignalSource, sourceNames } from '../../../admission/runner/signal-sources.ts';
import { type SourceState, sourceStateOf, timeOf } from '../../runners/source-states.ts';
import type { Owner } from './owner.ts';

/** Why a source that has reported nothing cannot report: shown in place of "nothing reported". */
const whySilent: Partial<Record<SignalSource, (pod: Pod) => string | undefined>> = { hook: whyWithoutHooks };

/** What every source says about the runner, and since when: those that have reported nothing as well. */
export function sourcesOf(pod: Pod, runner: RunnerPod, log: LogReading, owner: Owner): SourceState[] {
	const signalled = sourceNames.flatMap((by): SourceState[] => {
		const signals = runner.signals.filter((signal) => signal.by === by).map(sourceStateOf);
		// Who may not read the log sees what the guard has read in it.
		if (by === 'log') return [...(log.says === 'unknown' ? signals : []), logState(log)];
		return signals.length > 0 ? signals : [{ by, state: 'nothing', detail: whySilent[by]?.(pod) }];
	});
	return [
		...signalled,
		listState(pod, runner),
		deleteState(pod, runner),
		...(owner ? [ownerState(owner)] : []),
	];
}

function logState(log: LogReading): SourceState {
	if (log.says === 'unknown') return { by: 'log', state: 'unknown', detail: log.why };
	const since = timeOf(loggedMs(log));
	if (log.says === 'idle') return { by: 'log', state: 'idle', since };
	const job = log.job === undefined ? undefined : { name: log.job };
	const detail = log.unclear && "not clearly: GitHub's lists may end it";
	return { by: 'log', state: 'working', since, job, detail };
}

function whyWithoutHooks({ metadata: { annotations = {} } }: Pod): string | undefined {
	if (jobHooks.script in annotations) return undefined;
	const why = annotations[jobHooks.absent];
	return `this pod has no job hooks${why ? `: ${why}` : ''}`;
}

/** GitHub's list, as the leader has marked the pod by it. */
function listState(pod: Pod, { absentSinceMs, busyHint, runnerId }: RunnerPod): SourceState {
	const by = 'list';
	const label = pod.metadata.labels?.[busy.label];
	if (absentSinceMs !== undefined) return { by, state: 'absent', since: timeOf(absentSinceMs) };
	if (label === 'true') {
		const name = pod.metadata.annotations?.[busy.job];
		const job = name === undefined ? undefined : { name };
		return { by, state: 'working', since: timeOf(busyHint?.sinceMs), job, detail: `label ${busy.label}` };
	}
	if (label !== undefined) return { by, state: 'unknown', detail: 'no recent list has shown it idle' };
	const condition = pod.status?.conditions?.find(({ type }) => type === busy.condition);
	if (condition?.status === 'False')
		return { by, state: 'idle', since: timeOf(Date.parse(condition.lastTransitionTime ?? '')) };
	return runnerId === undefined ? { by, state: 'nothing' } : { by, state: 'idle' };
}

/** GitHub's last answer to DELETE runner. */
function deleteState(pod: Pod, { unregistered, busyAnswer, saidToBeGone }: RunnerPod): SourceState {
	const by = 'delete';
	if (unregistered)
		return { by, state: 'removed', since: timeOf(Date.parse(unregistered.at)), detail: '204' };
	if (busyAnswer) {
		const [, message = ''] = /^\S+ (.*)$/s.exec(pod.metadata.annotations?.[progress.refusal] ?? '') ?? [];
		const asked = busyAnswer.to === 'arc' ? '422 to ARC' : '422';
		const detail = [asked, message].filter(Boolean).join(': ');
		return { by, state: 'working', since: timeOf(busyAnswer.atMs || undefined), detail };
	}
	if (saidToBeGone)
		return { by, state: 'removed', since: timeOf(saidToBeGone.atMs || undefined), detail: 'as ARC says' };
	return { by, state: 'nothing', detail: 'GitHub has not been asked' };
}

function ownerState(owner: NonNullable<Owner>): SourceState {
	const by = 'ephemeral-runner';
	if ('unread' in owner) return { by, state: 'unknown', detail: owner.unread };
	const name = jobOfEphemeralRunner(owner);
	return name === undefined
		? { by, state: 'nothing', detail: 'has no job' }
		: { by, state: 'working', job: { name } };
}
