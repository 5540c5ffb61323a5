/** Style sheets and the worker are bundled as minified text. */
declare module "*.css" {
  const text: string;
  export default text;
}
declare module "*?text" {
  const text: string;
  export default text;
}
