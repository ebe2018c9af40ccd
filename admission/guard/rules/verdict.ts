import type { AllowReason, DenyReason } from '../../api/reasons.ts';

export type Allow = { kind: 'allow'; reason: AllowReason };

/** `detail` says more than the reason does, for people: GitHub's own words, or why something could not be read. */
export type Deny<Reason extends DenyReason = DenyReason> = {
	kind: 'deny';
	reason: Reason;
	detail?: string | undefined;
};

export type Verdict<Reason extends DenyReason = DenyReason> = Allow | Deny<Reason>;

export const allow = (reason: AllowReason): Allow => ({ kind: 'allow', reason });
export const deny = <Reason extends DenyReason>(reason: Reason, detail?: string): Deny<Reason> => ({
	kind: 'deny',
	reason,
	detail,
});
