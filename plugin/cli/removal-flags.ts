import { dryRunFlag, durationFlag, integerFlag } from './flag-types.ts';

/** `--timeout` of verbs that wait as long as it takes; its value is ms. */
export const timeoutFlag = {
	type: durationFlag('timeout'),
	placeholder: 'DURATION',
	description: 'Longest wait, e.g. 90s or 1h; 0 is forever (default)',
} as const;

/** Flags of the verbs that make runner pods go. */
export const removalFlags = {
	timeout: timeoutFlag,
	gracePeriod: {
		type: integerFlag('grace-period'),
		placeholder: 'SECONDS',
		description: "Grace period; -1 is each pod's own (default)",
	},
	dryRun: {
		type: dryRunFlag,
		bareValue: 'client',
		placeholder: 'none|client|server',
		description: 'Only show what would happen; with server, ask the guard',
	},
} as const;
