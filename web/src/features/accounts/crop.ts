/** A square cut out of a picture, in its own pixels. */
export type Crop = { x: number; y: number; size: number };
type Size = { width: number; height: number };

/** The largest square in the middle. */
export function startCrop(image: Size): Crop {
  const size = Math.min(image.width, image.height);
  return { x: (image.width - size) / 2, y: (image.height - size) / 2, size };
}

/** The nearest square that lies within the picture. */
export function clampCrop(crop: Crop, image: Size): Crop {
  const size = Math.min(crop.size, image.width, image.height);
  return {
    size,
    x: Math.min(Math.max(0, crop.x), image.width - size),
    y: Math.min(Math.max(0, crop.y), image.height - size)
  };
}
