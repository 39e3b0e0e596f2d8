// The one unit that compiles Asio and Beast (BOOST_ASIO_SEPARATE_COMPILATION): everyone else only declares
// them.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
