/**
 * Stands in for `ansis` and `terminal-columns` in the bundle (scripts/build.ts). cleye imports both for the help it
 * renders itself; ours is rendered by help.ts, so nothing here is ever called.
 */
function neverCalled(): never {
	throw new Error("cleye's own help is not used");
}

export const bold = neverCalled;
export const breakpoints = neverCalled;
export const terminalColumns = neverCalled;
export default { level: 0 };
