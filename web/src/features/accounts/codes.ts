import { displayName } from '$lib/format';
import { getLocale } from '$lib/paraglide/runtime.js';

/** ISO 3166-1 alpha-2. */
const country_codes =
  'AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW'.split(
    ' '
  );
/** The languages most spoken and most written on the web; another one that an account already has is kept. */
const language_codes =
  'am ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fil fr ga gl gu ha he hi hr hu hy id ig is it ja ka kk km kn ko ky lo lt lv mk ml mn mr ms my nb ne nl nn or pa pl ps pt ro ru rw si sk sl so sq sr sv sw ta te tg th tk tr uk ur uz vi yo zh zu'.split(
    ' '
  );

export type Named = { code: string; name: string };

/** All countries by name, in the reader's language and order. */
export function countries(): Named[] {
  return named('region', country_codes);
}

export function languages(also: string): Named[] {
  return named('language', also && !language_codes.includes(also) ? [...language_codes, also] : language_codes);
}

function named(kind: 'region' | 'language', codes: readonly string[]): Named[] {
  const order = new Intl.Collator(getLocale());
  return codes
    .map((code) => ({ code, name: displayName(kind, code) }))
    .sort((one, other) => order.compare(one.name, other.name));
}
