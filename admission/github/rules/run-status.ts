/** Runs with these hold jobs that have not ended. GitHub takes one of them in a question. */
export const openStatuses = ['queued', 'in_progress', 'waiting', 'pending'] as const;
export type OpenStatus = (typeof openStatuses)[number];
