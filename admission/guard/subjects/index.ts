import type { LeaderSubject } from '../leader-subject.ts';
import type { Subject } from '../subject.ts';
import { type JobPodDeletionDependencies, JobPodDeletions } from './job-pod/deletions.ts';
import type { JobPods } from './job-pod/job-pods.ts';
import { jobPodSubject } from './job-pod/subject.ts';
import { type RunnerDeletionDependencies, RunnerDeletions } from './runner/deletions.ts';
import { runnerSubject } from './runner/subject.ts';

type Dependencies = Parameters<typeof runnerSubject>[0] & Parameters<typeof jobPodSubject>[0];

/** The kinds of pods that are guarded. A pod is of the first kind that reads it. */
export const subjects = (dependencies: Dependencies): readonly Subject[] => [
	runnerSubject(dependencies),
	jobPodSubject(dependencies),
];

type LeaderDependencies = RunnerDeletionDependencies &
	JobPodDeletionDependencies & {
		/** The pods of container actions that carry no label of the hooks. */
		stepPods: JobPods;
	};

/** The same kinds at the leader, which carries out their recorded deletions. */
export const leaderSubjects = (dependencies: LeaderDependencies): readonly LeaderSubject[] => [
	new RunnerDeletions(dependencies),
	new JobPodDeletions('job-pod-deletion', dependencies),
	new JobPodDeletions('step-pod-deletion', { ...dependencies, jobPods: dependencies.stepPods }),
];
