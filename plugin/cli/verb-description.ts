/** What the arguments of a verb name, for shell completion. */
type Completes = 'runner' | 'set' | 'node-or-set' | 'namespace' | 'shell' | 'verb';

export interface VerbDescription {
	name: string;
	aliases?: string[];
	/** One line, for the list of verbs. */
	summary: string;
	/** After `kubectl runners`: `delete POD... [flags]`. */
	usage: string;
	/** Paragraphs for `--help`. */
	description?: string;
	/** Pairs of what it does and what to type after `kubectl runners`. */
	examples: readonly (readonly [string, string])[];
	completes?: Completes;
	/** For programs: not in the list of verbs. */
	hidden?: boolean;
}
