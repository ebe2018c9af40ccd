/**
 * Changes that change nothing anybody could see, each with the reason. An entry has to fit exactly one mutation; the run
 * fails where it fits none any more.
 */
export interface Equivalent {
	file: string;
	/** The line, as Mutation.text. */
	text: string;
	what: string;
	why: string;
}

export const equivalent: readonly Equivalent[] = [
	{
		file: 'admission/guard/deletion-loop.ts',
		text: 'if (!pod) return this.#forget(key);',
		what: 'false in place of !pod',
		why: 'the cache keeps runner pods only, and the condition is there for the compiler',
	},
];
