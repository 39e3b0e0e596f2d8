/** What a page asks of the frame around it. */
class Frame {
  /** The rail shows icons only, also where it has room: the page's content is a picture. */
  compact = $state(false);
  /** Neither rail nor tabs. */
  bare = $state(false);
}

export const frame = new Frame();
