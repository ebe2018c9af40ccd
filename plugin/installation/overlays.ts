import type { Manifest } from './manifest.ts';

/** Objects of manifests/overlays/NAME, by name, and those of the component creation-policy. */
export type Overlays = Record<string, readonly Manifest[]>;

declare const __OVERLAYS__: Overlays | undefined;

/** From manifests/rendered, put into the bundle by scripts/build.ts; running from source, there are none. */
export const overlays: Overlays = typeof __OVERLAYS__ === 'object' ? __OVERLAYS__ : {};
