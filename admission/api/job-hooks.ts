/** Which runner pods get job hooks when they are made: those of our own sets, every runner pod, none. */
export const jobHooksModes = ['sets', 'all', 'off'] as const;
export type JobHooksMode = (typeof jobHooksModes)[number];
