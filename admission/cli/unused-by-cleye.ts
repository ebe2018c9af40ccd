/**
 * Replaces `ansis` and `terminal-columns` in the bundles (scripts/build.ts). cleye imports both for a help of its own;
 * server and plugin print theirs with help-text.ts, so nothing here is ever called.
 */
function neverCalled(): never {
	throw new Error("cleye's own help is not used");
}

export const bold = neverCalled;
export const breakpoints = neverCalled;
export const terminalColumns = neverCalled;
export default { level: 0 };
