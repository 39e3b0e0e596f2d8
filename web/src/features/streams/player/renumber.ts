const tag = /^#EXT-X-DISCONTINUITY-SEQUENCE:(\d+)/m;

/**
 * hls.js keeps an array as long as the discontinuity sequence number and walks through it at each reload: with a number in the
 * millions, which RFC 8216 allows and a restarted server may use to stay ahead of what it said before, the page stands still.
 * Playlists of one broadcast are therefore numbered from the first number that was seen.
 */
export class DiscontinuityNumbers {
  #first: number | undefined;

  renumber(playlist: string): string {
    return playlist.replace(tag, (_line, digits: string) => {
      const number = Number(digits);
      // A number below the first is another broadcast's, or a mirror that is behind: counted anew from there.
      if (this.#first === undefined || number < this.#first) this.#first = number;
      return `#EXT-X-DISCONTINUITY-SEQUENCE:${number - this.#first}`;
    });
  }
}
