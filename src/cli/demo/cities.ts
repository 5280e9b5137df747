/** A city, as a point with what a map needs to know of it. */
export interface City {
  readonly name: string;
  readonly country: string;
  readonly longitude: number;
  readonly latitude: number;
  /** Inhabitants of the urban area in thousands, roughly. */
  readonly populationThousands: number;
  readonly capital: boolean;
}

/** `name, country, longitude, latitude, thousands of inhabitants`; an asterisk marks a capital. Common knowledge, rounded. */
const TABLE = `
Tokyo*, Japan, 139.69, 35.69, 37000
Osaka, Japan, 135.50, 34.69, 19000
Sapporo, Japan, 141.35, 43.06, 2600
Fukuoka, Japan, 130.40, 33.59, 5500
New Delhi*, India, 77.21, 28.61, 32000
Mumbai, India, 72.88, 19.08, 21000
Kolkata, India, 88.36, 22.57, 15000
Chennai, India, 80.27, 13.08, 11500
Bengaluru, India, 77.59, 12.97, 13000
Hyderabad, India, 78.49, 17.39, 10500
Shanghai, China, 121.47, 31.23, 28500
Beijing*, China, 116.41, 39.90, 21500
Chongqing, China, 106.55, 29.56, 17000
Guangzhou, China, 113.26, 23.13, 14000
Wuhan, China, 114.31, 30.59, 8700
Chengdu, China, 104.07, 30.57, 9500
Xi'an, China, 108.94, 34.34, 8500
Harbin, China, 126.64, 45.76, 5500
Urumqi, China, 87.62, 43.83, 4500
Lhasa, China, 91.11, 29.65, 500
Hong Kong, China, 114.17, 22.32, 7500
Taipei*, Taiwan, 121.57, 25.03, 7000
Seoul*, South Korea, 126.98, 37.57, 10000
Pyongyang*, North Korea, 125.75, 39.03, 3100
Ulaanbaatar*, Mongolia, 106.92, 47.92, 1600
Dhaka*, Bangladesh, 90.41, 23.81, 22500
Karachi, Pakistan, 67.01, 24.86, 16800
Lahore, Pakistan, 74.35, 31.55, 13500
Islamabad*, Pakistan, 73.05, 33.68, 1200
Kabul*, Afghanistan, 69.17, 34.53, 4500
Kathmandu*, Nepal, 85.32, 27.72, 1500
Thimphu*, Bhutan, 89.64, 27.47, 120
Colombo, Sri Lanka, 79.86, 6.93, 2500
Naypyidaw*, Myanmar, 96.13, 19.75, 900
Yangon, Myanmar, 96.16, 16.87, 5500
Bangkok*, Thailand, 100.50, 13.76, 10900
Vientiane*, Laos, 102.60, 17.97, 700
Phnom Penh*, Cambodia, 104.92, 11.56, 2200
Hanoi*, Vietnam, 105.83, 21.03, 5000
Ho Chi Minh City, Vietnam, 106.66, 10.82, 9000
Kuala Lumpur*, Malaysia, 101.69, 3.14, 8200
Singapore*, Singapore, 103.82, 1.35, 6000
Jakarta*, Indonesia, 106.85, -6.21, 11000
Surabaya, Indonesia, 112.75, -7.26, 3000
Makassar, Indonesia, 119.43, -5.15, 1600
Medan, Indonesia, 98.67, 3.60, 2400
Bandar Seri Begawan*, Brunei, 114.94, 4.90, 100
Dili*, Timor-Leste, 125.57, -8.56, 280
Manila*, Philippines, 120.98, 14.60, 14000
Port Moresby*, Papua New Guinea, 147.18, -9.44, 400
Sydney, Australia, 151.21, -33.87, 5100
Melbourne, Australia, 144.96, -37.81, 5200
Brisbane, Australia, 153.03, -27.47, 2500
Perth, Australia, 115.86, -31.95, 2100
Adelaide, Australia, 138.60, -34.93, 1350
Darwin, Australia, 130.84, -12.46, 140
Alice Springs, Australia, 133.88, -23.70, 26
Hobart, Australia, 147.33, -42.88, 230
Canberra*, Australia, 149.13, -35.28, 460
Auckland, New Zealand, 174.76, -36.85, 1650
Wellington*, New Zealand, 174.78, -41.29, 420
Christchurch, New Zealand, 172.64, -43.53, 380
Suva*, Fiji, 178.44, -18.14, 180
Port Vila*, Vanuatu, 168.32, -17.73, 50
Nouméa, New Caledonia, 166.46, -22.26, 180
Honiara*, Solomon Islands, 159.95, -9.43, 90
Apia*, Samoa, -171.76, -13.83, 37
Nuku'alofa*, Tonga, -175.20, -21.14, 23
Honolulu, United States, -157.86, 21.31, 850
Papeete, French Polynesia, -149.57, -17.54, 130
Moscow*, Russia, 37.62, 55.76, 12600
Saint Petersburg, Russia, 30.34, 59.93, 5500
Novosibirsk, Russia, 82.92, 55.03, 1700
Yekaterinburg, Russia, 60.61, 56.84, 1500
Krasnoyarsk, Russia, 92.87, 56.01, 1200
Irkutsk, Russia, 104.28, 52.29, 620
Yakutsk, Russia, 129.73, 62.03, 350
Vladivostok, Russia, 131.89, 43.12, 600
Murmansk, Russia, 33.08, 68.97, 270
Magadan, Russia, 150.80, 59.57, 90
Petropavlovsk-Kamchatsky, Russia, 158.65, 53.02, 165
Norilsk, Russia, 88.20, 69.35, 180
Astana*, Kazakhstan, 71.43, 51.13, 1300
Almaty, Kazakhstan, 76.89, 43.24, 2000
Tashkent*, Uzbekistan, 69.24, 41.30, 2600
Bishkek*, Kyrgyzstan, 74.59, 42.87, 1100
Dushanbe*, Tajikistan, 68.79, 38.56, 950
Ashgabat*, Turkmenistan, 58.38, 37.96, 900
Tehran*, Iran, 51.39, 35.69, 9400
Mashhad, Iran, 59.61, 36.30, 3300
Baghdad*, Iraq, 44.37, 33.32, 7500
Kuwait City*, Kuwait, 47.98, 29.38, 3200
Riyadh*, Saudi Arabia, 46.68, 24.71, 7500
Jeddah, Saudi Arabia, 39.17, 21.49, 4800
Manama*, Bahrain, 50.59, 26.23, 700
Doha*, Qatar, 51.53, 25.29, 2400
Abu Dhabi*, United Arab Emirates, 54.37, 24.45, 1500
Dubai, United Arab Emirates, 55.27, 25.20, 3500
Muscat*, Oman, 58.41, 23.59, 1600
Sana'a*, Yemen, 44.19, 15.37, 3200
Amman*, Jordan, 35.93, 31.95, 2200
Damascus*, Syria, 36.29, 33.51, 2500
Beirut*, Lebanon, 35.50, 33.89, 2400
Jerusalem*, Israel, 35.21, 31.77, 950
Nicosia*, Cyprus, 33.38, 35.19, 270
Ankara*, Turkey, 32.85, 39.93, 5300
Istanbul, Turkey, 28.98, 41.01, 15600
Tbilisi*, Georgia, 44.79, 41.72, 1100
Yerevan*, Armenia, 44.51, 40.18, 1100
Baku*, Azerbaijan, 49.87, 40.41, 2400
London*, United Kingdom, -0.13, 51.51, 9600
Edinburgh, United Kingdom, -3.19, 55.95, 540
Dublin*, Ireland, -6.26, 53.35, 1270
Paris*, France, 2.35, 48.86, 11200
Marseille, France, 5.37, 43.30, 1620
Lyon, France, 4.84, 45.76, 1760
Madrid*, Spain, -3.70, 40.42, 6750
Barcelona, Spain, 2.17, 41.39, 5650
Lisbon*, Portugal, -9.14, 38.72, 3000
Rome*, Italy, 12.50, 41.90, 4300
Milan, Italy, 9.19, 45.46, 3150
Naples, Italy, 14.27, 40.85, 2180
Berlin*, Germany, 13.40, 52.52, 3600
Hamburg, Germany, 9.99, 53.55, 1800
Munich, Germany, 11.58, 48.14, 1560
Vienna*, Austria, 16.37, 48.21, 1960
Bern*, Switzerland, 7.45, 46.95, 430
Zurich, Switzerland, 8.54, 47.38, 1420
Amsterdam*, Netherlands, 4.90, 52.37, 1170
Brussels*, Belgium, 4.35, 50.85, 2110
Luxembourg*, Luxembourg, 6.13, 49.61, 130
Copenhagen*, Denmark, 12.57, 55.68, 1370
Oslo*, Norway, 10.75, 59.91, 1080
Bergen, Norway, 5.32, 60.39, 290
Tromsø, Norway, 18.96, 69.65, 77
Stockholm*, Sweden, 18.07, 59.33, 1680
Helsinki*, Finland, 24.94, 60.17, 1330
Reykjavík*, Iceland, -21.94, 64.15, 220
Tallinn*, Estonia, 24.75, 59.44, 450
Riga*, Latvia, 24.11, 56.95, 620
Vilnius*, Lithuania, 25.28, 54.69, 540
Warsaw*, Poland, 21.01, 52.23, 1800
Prague*, Czechia, 14.44, 50.08, 1320
Bratislava*, Slovakia, 17.11, 48.15, 440
Budapest*, Hungary, 19.04, 47.50, 1780
Ljubljana*, Slovenia, 14.51, 46.06, 290
Zagreb*, Croatia, 15.98, 45.81, 680
Sarajevo*, Bosnia and Herzegovina, 18.41, 43.86, 340
Belgrade*, Serbia, 20.45, 44.79, 1400
Podgorica*, Montenegro, 19.26, 42.44, 180
Tirana*, Albania, 19.82, 41.33, 510
Skopje*, North Macedonia, 21.43, 42.00, 600
Athens*, Greece, 23.73, 37.98, 3150
Sofia*, Bulgaria, 23.32, 42.70, 1280
Bucharest*, Romania, 26.10, 44.43, 1780
Chișinău*, Moldova, 28.86, 47.01, 490
Kyiv*, Ukraine, 30.52, 50.45, 3000
Odesa, Ukraine, 30.72, 46.48, 1010
Minsk*, Belarus, 27.56, 53.90, 2050
Valletta*, Malta, 14.51, 35.90, 210
Cairo*, Egypt, 31.24, 30.04, 22000
Alexandria, Egypt, 29.92, 31.20, 5500
Tripoli*, Libya, 13.19, 32.89, 1170
Tunis*, Tunisia, 10.18, 36.81, 2400
Algiers*, Algeria, 3.06, 36.75, 2850
Tamanrasset, Algeria, 5.52, 22.79, 100
Rabat*, Morocco, -6.84, 34.02, 1900
Casablanca, Morocco, -7.59, 33.57, 3800
Nouakchott*, Mauritania, -15.98, 18.08, 1400
Dakar*, Senegal, -17.45, 14.69, 3300
Banjul*, Gambia, -16.58, 13.45, 450
Bissau*, Guinea-Bissau, -15.60, 11.86, 640
Conakry*, Guinea, -13.68, 9.51, 2000
Freetown*, Sierra Leone, -13.23, 8.48, 1270
Monrovia*, Liberia, -10.80, 6.30, 1620
Yamoussoukro*, Côte d'Ivoire, -5.28, 6.82, 350
Abidjan, Côte d'Ivoire, -4.01, 5.36, 5500
Accra*, Ghana, -0.19, 5.60, 2600
Lomé*, Togo, 1.22, 6.13, 1900
Porto-Novo*, Benin, 2.61, 6.50, 290
Ouagadougou*, Burkina Faso, -1.52, 12.37, 3050
Bamako*, Mali, -8.00, 12.65, 2900
Timbuktu, Mali, -3.01, 16.77, 50
Niamey*, Niger, 2.11, 13.51, 1380
Abuja*, Nigeria, 7.49, 9.06, 3800
Lagos, Nigeria, 3.38, 6.52, 15400
Kano, Nigeria, 8.52, 12.00, 4200
N'Djamena*, Chad, 15.04, 12.13, 1530
Yaoundé*, Cameroon, 11.52, 3.85, 4300
Malabo*, Equatorial Guinea, 8.78, 3.75, 300
Libreville*, Gabon, 9.45, 0.42, 860
Brazzaville*, Congo, 15.27, -4.27, 2550
Kinshasa*, Dem. Rep. Congo, 15.31, -4.32, 15600
Kisangani, Dem. Rep. Congo, 25.19, 0.52, 1400
Lubumbashi, Dem. Rep. Congo, 27.48, -11.66, 2800
Bangui*, Central African Republic, 18.56, 4.39, 930
Khartoum*, Sudan, 32.56, 15.50, 6100
Juba*, South Sudan, 31.58, 4.85, 440
Asmara*, Eritrea, 38.93, 15.32, 1030
Djibouti*, Djibouti, 43.15, 11.59, 600
Addis Ababa*, Ethiopia, 38.76, 9.03, 5200
Mogadishu*, Somalia, 45.32, 2.05, 2500
Nairobi*, Kenya, 36.82, -1.29, 5100
Mombasa, Kenya, 39.67, -4.04, 1400
Kampala*, Uganda, 32.58, 0.35, 3650
Kigali*, Rwanda, 30.06, -1.94, 1210
Gitega*, Burundi, 29.92, -3.43, 140
Dodoma*, Tanzania, 35.74, -6.16, 770
Dar es Salaam, Tanzania, 39.27, -6.79, 7400
Lilongwe*, Malawi, 33.77, -13.96, 1220
Lusaka*, Zambia, 28.32, -15.39, 3040
Harare*, Zimbabwe, 31.05, -17.83, 1560
Maputo*, Mozambique, 32.57, -25.97, 1140
Luanda*, Angola, 13.23, -8.84, 8950
Windhoek*, Namibia, 17.08, -22.56, 460
Gaborone*, Botswana, 25.91, -24.65, 270
Pretoria*, South Africa, 28.19, -25.75, 2740
Johannesburg, South Africa, 28.05, -26.20, 6060
Cape Town, South Africa, 18.42, -33.92, 4800
Durban, South Africa, 31.02, -29.86, 3200
Maseru*, Lesotho, 27.48, -29.31, 330
Mbabane*, Eswatini, 31.14, -26.31, 95
Antananarivo*, Madagascar, 47.51, -18.88, 3700
Moroni*, Comoros, 43.26, -11.70, 110
Port Louis*, Mauritius, 57.50, -20.16, 150
Victoria*, Seychelles, 55.45, -4.62, 26
Praia*, Cabo Verde, -23.51, 14.93, 160
Jamestown, Saint Helena, -5.72, -15.92, 1
Washington*, United States, -77.04, 38.91, 5400
New York, United States, -74.01, 40.71, 18900
Los Angeles, United States, -118.24, 34.05, 12500
Chicago, United States, -87.63, 41.88, 8900
Houston, United States, -95.37, 29.76, 6600
Dallas, United States, -96.80, 32.78, 6500
Miami, United States, -80.19, 25.76, 6200
Atlanta, United States, -84.39, 33.75, 6000
Denver, United States, -104.99, 39.74, 2900
Phoenix, United States, -112.07, 33.45, 4700
Seattle, United States, -122.33, 47.61, 3500
San Francisco, United States, -122.42, 37.77, 3300
Minneapolis, United States, -93.27, 44.98, 2950
Anchorage, United States, -149.90, 61.22, 290
Fairbanks, United States, -147.72, 64.84, 95
Ottawa*, Canada, -75.70, 45.42, 1430
Toronto, Canada, -79.38, 43.65, 6370
Montreal, Canada, -73.57, 45.50, 4300
Vancouver, Canada, -123.12, 49.28, 2660
Calgary, Canada, -114.07, 51.05, 1640
Winnipeg, Canada, -97.14, 49.90, 850
Halifax, Canada, -63.58, 44.65, 460
St. John's, Canada, -52.71, 47.56, 210
Yellowknife, Canada, -114.37, 62.45, 20
Iqaluit, Canada, -68.52, 63.75, 8
Nuuk*, Greenland, -51.74, 64.18, 19
Mexico City*, Mexico, -99.13, 19.43, 22300
Guadalajara, Mexico, -103.35, 20.66, 5400
Monterrey, Mexico, -100.32, 25.69, 5100
Tijuana, Mexico, -117.04, 32.51, 2250
Mérida, Mexico, -89.62, 20.97, 1200
Guatemala City*, Guatemala, -90.51, 14.63, 3100
Belmopan*, Belize, -88.77, 17.25, 25
San Salvador*, El Salvador, -89.19, 13.69, 1120
Tegucigalpa*, Honduras, -87.21, 14.07, 1530
Managua*, Nicaragua, -86.25, 12.11, 1090
San José*, Costa Rica, -84.09, 9.93, 1460
Panama City*, Panama, -79.52, 8.98, 1980
Havana*, Cuba, -82.37, 23.11, 2150
Kingston*, Jamaica, -76.79, 17.97, 600
Port-au-Prince*, Haiti, -72.34, 18.54, 2990
Santo Domingo*, Dominican Republic, -69.93, 18.49, 3520
San Juan, Puerto Rico, -66.11, 18.47, 2440
Nassau*, Bahamas, -77.34, 25.05, 280
Bridgetown*, Barbados, -59.62, 13.10, 90
Port of Spain*, Trinidad and Tobago, -61.51, 10.65, 545
Bogotá*, Colombia, -74.07, 4.71, 11500
Medellín, Colombia, -75.56, 6.24, 4100
Caracas*, Venezuela, -66.90, 10.48, 2970
Georgetown*, Guyana, -58.16, 6.80, 110
Paramaribo*, Suriname, -55.20, 5.85, 240
Cayenne, French Guiana, -52.33, 4.92, 65
Quito*, Ecuador, -78.47, -0.18, 1960
Guayaquil, Ecuador, -79.89, -2.17, 3100
Lima*, Peru, -77.04, -12.05, 11200
Cusco, Peru, -71.97, -13.53, 430
La Paz*, Bolivia, -68.15, -16.49, 1940
Santa Cruz, Bolivia, -63.18, -17.78, 1820
Brasília*, Brazil, -47.88, -15.79, 4870
São Paulo, Brazil, -46.63, -23.55, 22600
Rio de Janeiro, Brazil, -43.17, -22.91, 13700
Belo Horizonte, Brazil, -43.94, -19.92, 6250
Salvador, Brazil, -38.50, -12.97, 3960
Recife, Brazil, -34.88, -8.05, 4260
Fortaleza, Brazil, -38.53, -3.73, 4170
Belém, Brazil, -48.50, -1.46, 2400
Manaus, Brazil, -60.02, -3.12, 2330
Porto Alegre, Brazil, -51.22, -30.03, 4210
Asunción*, Paraguay, -57.58, -25.26, 3510
Montevideo*, Uruguay, -56.16, -34.90, 1770
Buenos Aires*, Argentina, -58.38, -34.60, 15500
Córdoba, Argentina, -64.18, -31.42, 1610
Mendoza, Argentina, -68.85, -32.89, 1210
Comodoro Rivadavia, Argentina, -67.50, -45.86, 240
Ushuaia, Argentina, -68.30, -54.80, 80
Santiago*, Chile, -70.67, -33.45, 6900
Antofagasta, Chile, -70.40, -23.65, 400
Punta Arenas, Chile, -70.91, -53.16, 125
Stanley, Falkland Islands, -57.85, -51.70, 2
`;

export const CITIES: readonly City[] = TABLE.trim()
  .split('\n')
  .map((line) => {
    const [name, country, longitude, latitude, thousands] = line.split(', ');
    return {
      name: name!.replace('*', ''),
      country: country!,
      longitude: Number(longitude),
      latitude: Number(latitude),
      populationThousands: Number(thousands),
      capital: name!.endsWith('*'),
    };
  });
