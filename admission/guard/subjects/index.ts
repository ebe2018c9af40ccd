import type { Subject } from '../subject.ts';
import { jobPodSubject } from './job-pod/subject.ts';
import { runnerSubject } from './runner/subject.ts';

type Dependencies = Parameters<typeof runnerSubject>[0] & Parameters<typeof jobPodSubject>[0];

/** The kinds of pods that are guarded. A pod is of the first kind that reads it. */
export const guardedKinds = (dependencies: Dependencies): readonly Subject[] => [
	runnerSubject(dependencies),
	jobPodSubject(dependencies),
];
