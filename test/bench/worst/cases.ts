import { jobCases } from './job.ts';
import { podCases } from './pod.ts';
import { reviewCases } from './review.ts';
import { setCases } from './set.ts';
import { unauthenticatedCases } from './unauthenticated.ts';
import type { WorstCase } from './worst-case.ts';

/** The worst of everything that others can send or write. Another kind of thing is a file beside this one, and a line here. */
export const worstCases: readonly WorstCase[] = [
	...podCases,
	...reviewCases,
	...unauthenticatedCases,
	...setCases,
	...jobCases,
];
