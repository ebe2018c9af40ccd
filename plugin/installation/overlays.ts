import type { Manifest } from './manifest.ts';

/** Objects of manifests/overlays/NAME, by name. */
export type Overlays = Record<string, readonly Manifest[]>;

declare const __OVERLAYS__: Overlays | undefined;

/** As scripts/build.ts rendered them into the bundle; sources run as they are have none. */
export const overlays: Overlays = typeof __OVERLAYS__ === 'object' ? __OVERLAYS__ : {};
