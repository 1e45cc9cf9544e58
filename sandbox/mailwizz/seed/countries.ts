/** Regions that are not countries: unions, outlying parts, test codes. */
const notCountries = new Set(['AC', 'CP', 'CQ', 'DG', 'EA', 'EU', 'EZ', 'IC', 'QO', 'TA', 'UN', 'XA', 'XB', 'XK', 'ZZ']);
const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];

/** Every country of ISO 3166 with its English name, in the order of names. */
export function countries(): { code: string; name: string }[] {
  const names = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
  return letters
    .flatMap((first) => letters.map((second) => first + second))
    .flatMap((code) => {
      const name = names.of(code);
      // A code that ICU writes otherwise is an old one.
      return name === undefined || notCountries.has(code) || Intl.getCanonicalLocales(`und-${code}`)[0] !== `und-${code}` ? [] : [{ code, name }];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Zones of the countries that addresses here are likely to name; the others have none. */
export const zones: Record<string, string> = {
  US: 'AL Alabama,AK Alaska,AZ Arizona,AR Arkansas,CA California,CO Colorado,CT Connecticut,DE Delaware,DC District of Columbia,FL Florida,GA Georgia,HI Hawaii,ID Idaho,IL Illinois,IN Indiana,IA Iowa,KS Kansas,KY Kentucky,LA Louisiana,ME Maine,MD Maryland,MA Massachusetts,MI Michigan,MN Minnesota,MS Mississippi,MO Missouri,MT Montana,NE Nebraska,NV Nevada,NH New Hampshire,NJ New Jersey,NM New Mexico,NY New York,NC North Carolina,ND North Dakota,OH Ohio,OK Oklahoma,OR Oregon,PA Pennsylvania,RI Rhode Island,SC South Carolina,SD South Dakota,TN Tennessee,TX Texas,UT Utah,VT Vermont,VA Virginia,WA Washington,WV West Virginia,WI Wisconsin,WY Wyoming',
  CA: 'AB Alberta,BC British Columbia,MB Manitoba,NB New Brunswick,NL Newfoundland and Labrador,NT Northwest Territories,NS Nova Scotia,NU Nunavut,ON Ontario,PE Prince Edward Island,QC Québec,SK Saskatchewan,YT Yukon',
  AU: 'ACT Australian Capital Territory,NSW New South Wales,NT Northern Territory,QLD Queensland,SA South Australia,TAS Tasmania,VIC Victoria,WA Western Australia',
  FR: 'ARA Auvergne-Rhône-Alpes,BFC Bourgogne-Franche-Comté,BRE Bretagne,CVL Centre-Val de Loire,COR Corse,GES Grand Est,HDF Hauts-de-France,IDF Île-de-France,NOR Normandie,NAQ Nouvelle-Aquitaine,OCC Occitanie,PDL Pays de la Loire,PAC Provence-Alpes-Côte d’Azur',
  DE: 'BW Baden-Württemberg,BY Bayern,BE Berlin,BB Brandenburg,HB Bremen,HH Hamburg,HE Hessen,MV Mecklenburg-Vorpommern,NI Niedersachsen,NW Nordrhein-Westfalen,RP Rheinland-Pfalz,SL Saarland,SN Sachsen,ST Sachsen-Anhalt,SH Schleswig-Holstein,TH Thüringen',
  BE: 'BRU Bruxelles,VLG Vlaanderen,WAL Wallonie',
  CH: 'AG Aargau,BE Bern,BS Basel-Stadt,FR Fribourg,GE Genève,GR Graubünden,JU Jura,LU Luzern,NE Neuchâtel,SG St. Gallen,TI Ticino,VD Vaud,VS Valais,ZG Zug,ZH Zürich',
  GB: 'ENG England,NIR Northern Ireland,SCT Scotland,WLS Wales',
  ES: 'AN Andalucía,AR Aragón,CT Cataluña,GA Galicia,MD Madrid,PV País Vasco,VC Valencia',
  IT: 'CAM Campania,LAZ Lazio,LOM Lombardia,PIE Piemonte,SIC Sicilia,TOS Toscana,VEN Veneto',
  RO: 'AB Alba,B Bucuresti,CJ Cluj,CT Constanta,IS Iasi,TM Timis',
};
