import type { LeaderSubject } from '../leader-subject.ts';
import { type JobPodDeletionDependencies, JobPodDeletions } from './job-pod/deletions.ts';
import { type RunnerDeletionDependencies, RunnerDeletions } from './runner/deletions.ts';

type Dependencies = RunnerDeletionDependencies & JobPodDeletionDependencies;

/** The kinds of pods whose recorded deletions the leader carries out. `isCounted`: in the metrics and in the report. */
export const leaderSubjects = (
	dependencies: Dependencies,
): readonly { subject: LeaderSubject; isCounted: boolean }[] => [
	{ subject: new RunnerDeletions(dependencies), isCounted: true },
	{ subject: new JobPodDeletions(dependencies), isCounted: false },
];
