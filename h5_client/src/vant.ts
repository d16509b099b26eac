// Styles of the Vant components in use; the components themselves are imported where they are used.
import 'vant/es/button/style'
import 'vant/es/checkbox/style'
import 'vant/es/popover/style'
import 'vant/es/popup/style'
import 'vant/es/switch/style'
import 'vant/es/tabbar/style'
import 'vant/es/tabbar-item/style'
import 'vant/es/toast/style'
