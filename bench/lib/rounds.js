// Interleaved rounds and their table: median and range of each figure.
export const quick = process.argv.includes('--quick');
// Whether everything works at all: small numbers, once. Its figures mean nothing.
export const smoke = process.argv.includes('--smoke');
export const rounds = smoke ? 1 : quick ? 5 : 7;
export const seconds = quick || smoke ? 1 : 3;

// contenders: {name: async () => figures}. Each round runs all of them, beginning at another one each time, so that what
// changes on the machine meanwhile meets all alike. A contender that fails is reported, and left out from then on.
export async function interleave(contenders, times = rounds) {
  const results = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  const names = Object.keys(contenders);
  for (let round = 0; round < times; round++) {
    const order = names.map((_, index) => names[(index + round) % names.length]);
    for (const name of order) {
      if (results[name] === null) continue;
      try {
        results[name].push(await contenders[name]());
      } catch (error) {
        console.error(`${name}: ${error.stderr || error.message}`);
        results[name] = null;
      }
    }
  }
  return results;
}

// What `begin` makes; a peer that is not installed or does not start is reported, and the table stands without it.
export async function if_it_starts(name, begin) {
  try {
    return await begin();
  } catch (error) {
    if (name === 'spaktok') throw error;
    console.error(`${name} is left out: ${error.message}`);
    return null;
  }
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function number(value) {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return value.toPrecision(3);
}

// columns: {heading: figure's name, or a function of the figures}. A Markdown table.
export function print_table(title, results, columns) {
  console.log(`\n### ${title}\n`);
  const headings = Object.keys(columns);
  console.log(`| | ${headings.join(' | ')} |\n|---|${headings.map(() => '---:|').join('')}`);
  for (const [name, runs] of Object.entries(results)) {
    if (!runs?.length) {
      console.log(`| ${name} | ${headings.map(() => 'failed').join(' | ')} |`);
      continue;
    }
    const cells = Object.values(columns).map((column) => {
      const values = runs.map((run) => (typeof column === 'function' ? column(run) : run[column]));
      return values.length === 1
        ? number(values[0])
        : `${number(median(values))} (${number(Math.min(...values))}–${number(Math.max(...values))})`;
    });
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
}
